// limpid/client: sends pictures to a `limpid serve`, from Node or a browser.

export {
  type BatchOptions,
  Client,
  type ClientOptions,
  createClient,
  type DetectOptions,
  type RemoteRestoreOptions,
  ServerError,
  type SubmitOptions,
} from './client/client.ts'
export type {
  LookSettings,
  ServerBatch,
  ServerJob,
  ServerModel,
  ServerPlan,
  ServerProblem,
  ServerReport,
  ServerSettings,
} from './client/protocol.ts'
export { type ErrorCode, RestoreError } from './core/errors.ts'
export type { TaskId } from './models/tasks.ts'
