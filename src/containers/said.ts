/** What an engine's program says when it fails: without colours, without what is no complaint, and without the words around it. */

/** Lines that only tell what goes on, of Apptainer and of Podman (`time="..." level=warning msg="..."`), and our own hints. */
const IDLE = /^(?:(?:debug|verbose|info|warning|hint)\b|time="[^"]*" level=(?:debug|info|warning)\b)/i;
const LOGGED = /^time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)"/;

/** Its complaints, a line each. */
export function complaintsIn(stderr: string): readonly string[] {
  return stderr
    .replace(/\u001b\[[0-9;]*m/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !IDLE.test(line))
    .map((line) => LOGGED.exec(line)?.[1]?.replace(/\\(.)/g, '$1') ?? line)
    .map((line) => line.replace(/^(?:reprise: )?(?:error|fatal)\s*:\s*/i, ''));
}

/** The last complaint; empty for none. */
export function lastWords(stderr: string): string {
  return complaintsIn(stderr).at(-1) ?? '';
}
