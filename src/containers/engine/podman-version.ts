/** Podman's command line: asked for its version, it sets up what it needs for this user's containers, or says why it cannot. */
import { RepriseError } from '../../core/errors.ts';
import { execute } from '../../sys/proc.ts';
import { complaintsIn } from '../said.ts';
import { userNamespaceRefusal } from '../user-namespaces.ts';

/** The version. @throws `runner-unreachable` with Podman's reason */
export async function versionByCommand(env: NodeJS.ProcessEnv, answerMs: number): Promise<string> {
  const argv = ['podman', 'version', '--format={{.Client.Version}}'] as const;
  const { code, signal, stdout, stderr } = await execute(argv, {
    cwd: '/',
    env,
    signal: AbortSignal.timeout(answerMs),
  });
  if (code === 0) return stdout.toString('utf8').trim();
  const refusal = process.getuid?.() === 0 ? null : userNamespaceRefusal();
  const reason = refusal?.reason ?? (signal === null ? complaintsIn(stderr).join('; ') : 'it does not answer');
  throw new RepriseError('runner-unreachable', `Podman cannot be used: ${reason}`, {
    hints: [refusal?.hint ?? 'podman info'],
    data: { runner: 'podman', stderr },
  });
}
