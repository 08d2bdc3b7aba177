/** The part of dockerode that is used here; the package brings no types of its own. */
declare module 'dockerode' {
  import type { Agent } from 'node:https';
  import type { Duplex, Readable } from 'node:stream';

  interface Dial {
    readonly path: string;
    readonly method: 'GET' | 'POST';
    readonly statusCodes: Readonly<Record<number, true | string>>;
    readonly isStream?: boolean;
    readonly hijack?: boolean;
    readonly openStdin?: boolean;
    readonly file?: Buffer;
    readonly options?: Readonly<Record<string, unknown>>;
    readonly abortSignal?: AbortSignal;
  }

  interface Container {
    readonly id: string;
    start(): Promise<unknown>;
    inspect(): Promise<unknown>;
    kill(options: { readonly signal: string }): Promise<unknown>;
    wait(): Promise<unknown>;
    remove(options: { readonly force: boolean; readonly v: boolean }): Promise<unknown>;
  }

  interface Options {
    readonly socketPath?: string | undefined;
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly protocol: 'http' | 'https';
    readonly pathPrefix: string;
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly agent?: Agent | undefined;
    readonly connectionTimeout?: number | undefined;
  }

  class Docker {
    constructor(options: Options);
    readonly modem: { dial(options: Dial, done: (error: Error | null, result: unknown) => void): void };
    createContainer(request: object): Promise<Container>;
    getContainer(name: string): Container;
    getImage(name: string): {
      inspect(): Promise<unknown>;
      remove(options: { readonly force: boolean }): Promise<unknown>;
    };
    listImages(): Promise<unknown>;
    loadImage(tar: Readable, options: Readonly<Record<string, unknown>>): Promise<Readable>;
  }

  export type { Container, Dial, Duplex };
  export default Docker;
}
