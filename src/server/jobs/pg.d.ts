// The part of node-postgres that BullMQ's backend uses, in BullMQ's own types.

declare module 'pg' {
  export const Pool: import('bullmq').PgModule['Pool']
}
