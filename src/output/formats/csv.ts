/** The figures as CSV, a row each. */
import { csvChunks } from "../csv.ts";
import type { SummaryFormat } from "./contract.ts";

export const csv: SummaryFormat = ({ figures }) =>
  [...csvChunks({ file: "summary", ...figures })].join("");
