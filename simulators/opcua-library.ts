// The one place in simulators/ that knows the packages of node-opcua: their types, and loading them
// when a server is asked for. The server is a development package: a gateway does not need it.
import type * as Certificates from 'node-opcua-certificate-manager';
import type * as Client from 'node-opcua-client';
import type * as Server from 'node-opcua-server';
import { Fault } from '../core/fault.ts';

export type OpcUaServer = Server.OPCUAServer;
export type CertificateManager = Certificates.OPCUACertificateManager;
export type AddressSpace = NonNullable<OpcUaServer['engine']['addressSpace']>;
export type Namespace = ReturnType<AddressSpace['getOwnNamespace']>;
export type Variable = ReturnType<Namespace['addVariable']>;
export type Instance = ReturnType<Namespace['addObject']>;
export type Variant = Client.Variant;
export type DataValue = Client.DataValue;
export type StatusCode = Client.StatusCode;
export type Message = Parameters<OpcUaServer['on_request']>[0];
export type Channel = Parameters<OpcUaServer['on_request']>[1];

export interface OpcUaLibrary {
  readonly client: typeof Client;
  readonly server: typeof Server;
  readonly certificates: typeof Certificates;
}

/** Whether the package is installed; loads nothing. */
export function hasOpcUa(): boolean {
  try {
    import.meta.resolve('node-opcua-server');
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return false;
  }
}

/** Throws Fault `sim_opcua_missing` when the package is not installed. */
export async function loadOpcUa(): Promise<OpcUaLibrary> {
  try {
    const [client, server, certificates] = await Promise.all([
      import('node-opcua-client'),
      import('node-opcua-server'),
      import('node-opcua-certificate-manager'),
    ]);
    const silent = () => {};
    client.setDebugLogger(silent);
    client.setWarningLogger(silent);
    client.setErrorLogger(silent);
    return { client, server, certificates };
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Fault('sim_opcua_missing', 'never', 'node-opcua-server', error);
  }
}
