/**
 * The verbs, behind one dynamic import.
 *
 * They share most of their modules. Imported one by one, the build would cut those into a file for each combination of verbs,
 * and `run` alone would open thirty: 15 ms, measured, of which reading them as one file costs 2.
 */
export { doctor } from '../doctor/doctor.ts';
export { create } from '../dataset/create.ts';
export { drop } from '../dataset/drop.ts';
export { get } from '../dataset/get.ts';
export { save } from '../dataset/save.ts';
export { status } from '../dataset/status-verb.ts';
export { unlock } from '../dataset/unlock.ts';
export { announcePendingAt } from '../run/pending.ts';
export { recover } from '../run/recover.ts';
export { rerunEmitting } from '../rerun/rerun.ts';
export { attestations } from '../rerun/attestations-verb.ts';
export { prefetch } from '../rerun/prefetch.ts';
export { stale } from '../rerun/stale-verb.ts';
export { containersAdd } from '../images/add.ts';
export { containersList } from '../images/list.ts';
export { containersRemove } from '../images/remove.ts';
export { containersRun } from '../images/containers-run.ts';
