/** Machines on which an ordinary user may make no user namespaces, made of this one: the limit is one of a user namespace around the program. */
import { type Outcome, ORDINARY_UID, type World } from './world.ts';

/**
 * $0: folder for two pipes; $1: user id; then the program. Who is in a new user namespace has no ids until somebody outside gives it some,
 * and all rights in it until then (user_namespaces(7)).
 */
const SCRIPT = `
mkfifo "$0/ready" "$0/go"
unshare --user --keep-caps sh -c '
  echo ready >"$0/ready"; read -r _ <"$0/go"
  echo 0 >/proc/sys/user/max_user_namespaces
  uid=$1; shift
  exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
' "$0" "$@" &
child=$!
read -r _ <"$0/ready"
echo "0 0 65536" >"/proc/$child/gid_map"
echo "0 0 65536" >"/proc/$child/uid_map"
echo go >"$0/go"
wait "$child"
`;

/** Runs a program as an ordinary user who may make no user namespaces; needs root. */
export function withoutUserNamespaces(
  world: World,
  argv: readonly string[],
  env: Record<string, string> = {},
): Outcome {
  const pipes = world.ok(['mktemp', '-d', `${world.dir}/pipes.XXXXXX`]);
  return world.exec(['sh', '-c', SCRIPT, pipes, String(ORDINARY_UID), ...argv], { env });
}
