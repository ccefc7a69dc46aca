// limpid/client: sends pictures to a `limpid serve`, from Node or a browser.

export {
  Client,
  type ClientOptions,
  createClient,
  type RemoteRestoreOptions,
  ServerError,
  type SubmitOptions,
} from './client/client.ts'
export type { ServerJob, ServerSettings } from './client/protocol.ts'
export { type ErrorCode, RestoreError } from './core/errors.ts'
export type { TaskId } from './models/tasks.ts'
