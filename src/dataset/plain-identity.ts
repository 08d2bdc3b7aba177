/** Who commits, where that is plain: what `git var` would print, without starting Git. */
import type { Config } from '../core/config.ts';

/** Names and addresses in which Git changes nothing: it takes some punctuation away (git, `ident.c`, `strbuf_addstr_without_crud`). */
const PLAIN_NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._'-]*[\p{L}\p{N}])?$/u;
const PLAIN_ADDRESS = /^[A-Za-z0-9](?:[A-Za-z0-9._+@-]*[A-Za-z0-9])?$/;

/** Time zones that Node and the C library understand alike. */
const PLAIN_ZONE = /^(?:UTC|[A-Z][A-Za-z_]+(?:\/[A-Za-z_]+)+)$/;

/**
 * `NAME <ADDRESS> SECONDS ZONE` from `user.name` and `user.email`, for who is author and committer alike; null where Git has to be asked.
 *
 * The caller makes sure that no variable and no setting says anything else of either.
 */
export function plainIdentity(config: Config, env: NodeJS.ProcessEnv): string | null {
  const [name, address] = [config.get('user.name') ?? '', config.get('user.email') ?? ''];
  if (!PLAIN_NAME.test(name) || !PLAIN_ADDRESS.test(address)) return null;
  const zone = env['TZ'];
  if (zone !== process.env['TZ'] || (zone !== undefined && !PLAIN_ZONE.test(zone))) return null;
  const now = new Date();
  return `${name} <${address}> ${Math.floor(now.getTime() / 1000)} ${offset(-now.getTimezoneOffset())}`;
}

/** Minutes east of Greenwich as `+hhmm`. */
function offset(minutes: number): string {
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}${String(rest).padStart(2, '0')}`;
}
