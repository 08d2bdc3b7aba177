/** The version of the package; `tools/build.mjs` writes it in. */
declare const __VERSION__: string | undefined;

export const VERSION = typeof __VERSION__ === 'string' ? __VERSION__ : 'not built';
