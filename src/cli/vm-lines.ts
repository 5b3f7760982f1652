import type { Vm } from '../contracts/vm.ts';
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
      ['cpus', String(vm.cpus)],
      ['memory', formatSize(vm.memoryBytes)],
      ['disk', formatSize(vm.diskBytes)],
      ['address', vm.address],
      ['mac', vm.macAddress],
      ['tap', vm.tapName],
      ['nat', vm.nat ? 'yes' : 'no'],
      ['engine', vm.engine && `${vm.engine}${vm.accelerator ? `, ${vm.accelerator}` : ''}`],
      ['pid', vm.pid === undefined ? undefined : String(vm.pid)],
      ['created', `${vm.createdAt} (${formatAge(vm.createdAt, now)})`],
      ['started', vm.startedAt && `${vm.startedAt} (${formatAge(vm.startedAt, now)})`],
      ['ephemeral', vm.ephemeral ? 'yes' : undefined],
    ],
    width,
  );
}
