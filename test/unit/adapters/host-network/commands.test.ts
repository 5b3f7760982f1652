import { describe, expect, it } from 'vitest';
import {
  bridgeMacAddress,
  completeBridgeBatch,
  createBridgeBatch,
  createTapArgv,
  deleteFreeTapArgv,
  joinBridgeBatch,
  portAddressBatch,
} from '../../../../src/adapters/host-network/commands.ts';
import type { BridgePlan, NetworkPort } from '../../../../src/core/networks/ports.ts';

const plan: BridgePlan = { bridgeName: 'banger0', gateway: '10.77.0.1', prefixLength: 20, cidr: '10.77.0.0/20' };
const port: NetworkPort = {
  tapName: 'bngr-1a2b3c4d5e',
  address: '10.77.0.2',
  macAddress: '02:62:0a:4d:00:02',
  egress: 'none',
};

describe('the bridge', () => {
  it('has a MAC of its own, no spanning tree and no delay', () => {
    expect(bridgeMacAddress(plan)).toBe('02:62:0a:4d:00:01');
    expect(createBridgeBatch(plan)).toBe(
      'link add name banger0 address 02:62:0a:4d:00:01 type bridge stp_state 0 forward_delay 0\n' +
        'addr add 10.77.0.1/20 broadcast + dev banger0\n' +
        'link set dev banger0 up\n',
    );
  });

  it('is completed without being made', () => {
    expect(completeBridgeBatch(plan)).toBe(
      'addr replace 10.77.0.1/20 broadcast + dev banger0\nlink set dev banger0 up\n',
    );
  });
});

describe('a TAP', () => {
  it('is made and, where it is free, deleted', () => {
    expect(createTapArgv('bngr-1a2b3c4d5e').join(' ')).toBe('ip tuntap add dev bngr-1a2b3c4d5e mode tap');
    expect(deleteFreeTapArgv('bngr-1a2b3c4d5e').join(' ')).toBe('ip tuntap del dev bngr-1a2b3c4d5e mode tap');
  });

  it('is isolated before it is up, and its addresses are told, not learnt', () => {
    expect(joinBridgeBatch(port, 'banger0')).toBe(
      'link set dev bngr-1a2b3c4d5e master banger0\n' +
        'link set dev bngr-1a2b3c4d5e type bridge_slave isolated on learning off flood off\n' +
        'neigh replace 10.77.0.2 lladdr 02:62:0a:4d:00:02 nud permanent dev banger0\n' +
        'link set dev bngr-1a2b3c4d5e up\n',
    );
    expect(portAddressBatch(port)).toBe('fdb replace 02:62:0a:4d:00:02 dev bngr-1a2b3c4d5e master static\n');
  });
});
