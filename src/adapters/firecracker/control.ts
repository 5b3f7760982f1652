/** What is asked of a VMM that runs or is about to, with the answers checked. */
import { type ApiClient, type ExchangeOptions } from './api-client.ts';
import { ApiError, asRecord } from './api-message.ts';
import { stateRequest } from './machine-config.ts';
import { type FirecrackerVersion, parseVersion } from './version.ts';

/** Of the `state` of `GET /`. */
export type InstanceState = 'Not started' | 'Running' | 'Paused';

export interface Instance {
  readonly id: string;
  readonly state: InstanceState;
}

/** @throws ApiError. */
export async function readInstance(api: ApiClient, options: ExchangeOptions): Promise<Instance> {
  const { id, state } = asRecord(await api.get('/', options));
  if (typeof id === 'string' && (state === 'Not started' || state === 'Running' || state === 'Paused')) {
    return { id, state };
  }
  throw new ApiError('protocol', `GET / was answered with an unknown state (${String(state)}).`);
}

/** Waits for a VMM that may not listen yet. @throws ApiError. */
export async function readVersionOnceListening(api: ApiClient, options: ExchangeOptions): Promise<FirecrackerVersion> {
  const text = asRecord(await api.getOnceListening('/version', options))['firecracker_version'];
  const version = typeof text === 'string' ? parseVersion(text) : undefined;
  if (version) return version;
  throw new ApiError('protocol', `GET /version was answered with an unknown version (${String(text)}).`);
}

/** Stops the guest's processors or lets them run. @throws ApiError, also where nothing came of it. */
export async function setState(api: ApiClient, wanted: 'Paused' | 'Running', options: ExchangeOptions): Promise<void> {
  await api.send(stateRequest(wanted === 'Paused' ? 'Paused' : 'Resumed'), options);
  await assertState(api, wanted, options);
}

/** What was answered with 204 may still have done nothing. @throws ApiError. */
export async function assertState(api: ApiClient, wanted: InstanceState, options: ExchangeOptions): Promise<void> {
  const { state } = await readInstance(api, options);
  if (state !== wanted) {
    throw new ApiError('protocol', `Firecracker said that it was done, and its state is "${state}", not "${wanted}".`);
  }
}
