/**
 * What can go wrong between finished results and the disk.
 *
 * Owns: the error that a person can do something about (choose another folder, free space). Refuses
 * to own: printing it and the exit code (cli/).
 */

/** The results cannot be written as asked. The message names the folder and what to do; nothing was replaced. */
export class ResultsError extends Error {
  override readonly name = "ResultsError";
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "a file is larger than the file system or a limit allows",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOENT: "no folder can be made there",
  ENOTDIR: "a part of the path is a file, not a folder",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "the path runs in a circle of symbolic links",
  EBUSY: "the folder is a mount point or in use; give a folder inside it",
  EXDEV: "the folder is a mount point; give a folder inside it",
  EMFILE: "too many files are open",
};

/** Puts an operating system's error into words about `dir`; any other error is returned as it is. */
export function asResultsError(error: unknown, dir: string): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return error;
  }
  const reason = reasons[error.code] ?? error.message;
  return new ResultsError(`cannot write results to ${dir}: ${reason}`, { cause: error });
}
