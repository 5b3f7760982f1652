import { ClientError } from '../client/client-error.ts';

/** Something on the command line that cannot be used; found before anything was sent. */
export class UsageError extends ClientError {}
