/** Whether the kernel lets an ordinary user make user namespaces, without which nobody but root starts a container (user_namespaces(7)). */
import { readOrNull } from '../sys/files.ts';

/** Why it does not, and what would change that; null if nothing is known against it. */
export function userNamespaceRefusal(): { readonly reason: string; readonly hint: string } | null {
  const value = (name: string) => readOrNull(`/proc/sys/${name}`)?.toString('latin1').trim();
  if (value('user/max_user_namespaces') === '0') {
    return { reason: 'this machine allows no user namespaces', hint: 'sudo sysctl user.max_user_namespaces=15000' };
  }
  if (value('kernel/unprivileged_userns_clone') === '0') {
    return {
      reason: 'only root may make user namespaces here',
      hint: 'sudo sysctl kernel.unprivileged_userns_clone=1',
    };
  }
  return null;
}
