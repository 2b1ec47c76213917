/**
 * The checkpoint that this process goes on from, whoever finds out: retention never drops it while the process lives, so that
 * there is something to fall back to, and managers count their intervals from its step.
 */
import type { CatalogueEntry } from '../format/index.js';

/** What is known of it: of the parent of a first save only the id. */
export type Origin = Pick<CatalogueEntry, 'id'> & Partial<Pick<CatalogueEntry, 'step' | 'epoch'>>;

export class RunOrigin {
  private known: Origin | undefined;
  private hasSaved = false;
  private isParentOfNext = false;

  /** Undefined before anything was restored or saved, and for a run that starts from nothing. */
  get checkpoint(): Origin | undefined {
    return this.known;
  }

  /** Training goes on from this checkpoint: the program has said so. */
  resumed(entry: Origin): void {
    this.known = entry;
    this.isParentOfNext = true;
  }

  /** Id of the checkpoint that the next save builds on, be it the run's latest or not: there is one until something was saved. */
  get parentOfNext(): string | undefined {
    return this.isParentOfNext ? this.known?.id : undefined;
  }

  /** This checkpoint was read. Before the first save training goes on from it; later it may be read for anything. */
  restored(entry: Origin): void {
    if (!this.hasSaved) this.known = entry;
  }

  /** A checkpoint was saved on this parent. */
  saved(parent: string | null): void {
    if (!this.hasSaved && this.known === undefined && parent !== null) this.known = { id: parent };
    this.hasSaved = true;
    this.isParentOfNext = false;
  }
}
