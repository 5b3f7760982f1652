import type { ValueOrigin, Vm } from '../contracts/vm.ts';
import { formatSize } from '../contracts/size.ts';
import { detailLines } from './table.ts';
import { formatAge } from './terminal-text.ts';

/** A VM as lines for people. */
export function vmLines(vm: Vm, { now, width }: { readonly now: number; readonly width: number }): readonly string[] {
  return detailLines(
    [
      ['name', vm.name],
      ['id', vm.id],
      ['state', vm.stateReason === undefined ? vm.state : `${vm.state}: ${vm.stateReason}`],
      ['image', vm.imageName],
      ['cpus', withOrigin(String(vm.cpus), vm.origins.cpus, vm.running && String(vm.running.cpus))],
      [
        'memory',
        withOrigin(formatSize(vm.memoryBytes), vm.origins.memory, vm.running && formatSize(vm.running.memoryBytes)),
      ],
      ['disk', withOrigin(formatSize(vm.diskBytes), vm.origins.disk, undefined)],
      ['address', vm.address],
      ['mac', vm.macAddress],
      ['tap', vm.tapName],
      ['egress', vm.egress],
      ['refused', vm.refused && refusedLine(vm.refused)],
      ['peers', vm.peers.length === 0 ? undefined : `${vm.peers.join(', ')} (each reaches the other)`],
      ['network', vm.networkProblem],
      ['engine', vm.engine && `${vm.engine}${vm.accelerator ? `, ${vm.accelerator}` : ''}`],
      ['agent', vm.agentVersion],
      ['pid', vm.pid === undefined ? undefined : String(vm.pid)],
      ['created', `${vm.createdAt} (${formatAge(vm.createdAt, now)})`],
      ['started', vm.startedAt && `${vm.startedAt} (${formatAge(vm.startedAt, now)})`],
      ['console', vm.consolePath],
      ['ephemeral', vm.ephemeral ? 'yes' : undefined],
    ],
    width,
  );
}

function refusedLine({ connections, last }: NonNullable<Vm['refused']>): string | undefined {
  if (connections === 0 && last === undefined) return undefined;
  const count = `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
  return last === undefined ? count : `${count}; the last: ${last}`;
}

const ORIGINS: Readonly<Record<ValueOrigin, string>> = {
  flag: 'asked for',
  config: 'from the config',
  host: 'a share of the host’s',
  image: 'as its image',
  unknown: '',
};

/** @param now what it runs with, where that differs: it was changed since it was started. */
function withOrigin(value: string, origin: ValueOrigin, now: string | undefined): string {
  const notes = [ORIGINS[origin], now === undefined || now === value ? '' : `${now} until its next start`];
  const said = notes.filter((note) => note !== '').join('; ');
  return said === '' ? value : `${value} (${said})`;
}
