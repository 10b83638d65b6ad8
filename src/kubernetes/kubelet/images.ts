/**
 * The images of one node: which it has, and how the others come.
 *
 * Owns: pulls, one after the other or several at once, that share the way to the registry; its rate
 * limit, the back-off after failures and the node's store. Refuses to own: when a container is to start.
 * Images without a size are on every node from the start. Not modelled: layers that images share, image
 * garbage collection, credentials. Source: pkg/kubelet/images/image_manager.go, puller.go; timings §1.2.
 */
import { Phase, type EventHandle, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import { TokenBucket } from "../api/tokenBucket.ts";
import type { Container, ImagePullPolicy } from "../api/types.ts";
import type { NodeClock } from "./nodeClock.ts";
import type { KubeletProfile } from "./profile.ts";

/** Sizes of the images that nodes have to pull; null: the registry has no such image. */
export type ImageSizes = ReadonlyMap<string, number | null>;

interface Pull {
  readonly image: string;
  leftBytes: number;
  readonly done: (error: string | null) => void;
}

const NS_PER_SECOND = 1e9;

export class ImageManager {
  readonly #sim: Simulation;
  readonly #clock: NodeClock;
  readonly #profile: KubeletProfile;
  readonly #sizes: ImageSizes;
  readonly #present = new Set<string>();
  readonly #backoffs = new Map<string, { backoffNs: number; updatedNs: SimTimeNs }>();
  readonly #bucket: TokenBucket;
  readonly #queue: Pull[] = [];
  /** Those that bytes are coming for. */
  #active: Pull[] = [];
  #updatedNs: SimTimeNs = 0;
  #next: EventHandle = 0;

  constructor(sim: Simulation, clock: NodeClock, profile: KubeletProfile, sizes: ImageSizes) {
    this.#sim = sim;
    this.#clock = clock;
    this.#profile = profile;
    this.#sizes = sizes;
    this.#bucket = new TokenBucket(profile.registryPullQps, profile.registryBurst);
  }

  /** The image has been here for days. */
  assumePresent(image: string): void {
    this.#present.add(image);
  }

  /** The node lost its power: what was being pulled is pulled again, what it had it has. */
  crash(): void {
    this.#queue.length = 0;
    this.#active = [];
    this.#backoffs.clear();
  }

  /**
   * EnsureImageExists.
   * @param done called with null, at once where nothing is to be pulled, or with the reason why the container waits
   */
  ensure(container: Container, done: (error: string | null) => void): void {
    const { image } = container;
    const policy = pullPolicyOf(container);
    if (!this.#sizes.has(image)) {
      done(null);
      return;
    }
    const isHere = this.#present.has(image);
    if (isHere && policy !== "Always") {
      done(null);
      return;
    }
    if (policy === "Never") {
      done("ErrImageNeverPull");
      return;
    }
    const entry = this.#backoffs.get(image);
    if (entry !== undefined && this.#sim.nowNs - entry.updatedNs < entry.backoffNs) {
      done("ImagePullBackOff");
      return;
    }
    this.#pull(image, isHere, (error) => {
      if (error !== null) this.#failed(image);
      done(error);
    });
  }

  #pull(image: string, isHere: boolean, done: (error: string | null) => void): void {
    // throttledImageService: over its limit a pull fails, it does not wait.
    if (!this.#bucket.tryTake(this.#sim.nowNs)) {
      done("ErrImagePull");
      return;
    }
    this.#queue.push({ image, leftBytes: isHere ? 0 : (this.#sizes.get(image) ?? 0), done });
    this.#startNext();
  }

  #startNext(): void {
    const { serializeImagePulls, maxParallelImagePulls, registryRoundTripNs } = this.#profile;
    const most = serializeImagePulls ? 1 : maxParallelImagePulls;
    while (this.#queue.length > 0 && this.#active.length < most) {
      const pull = this.#queue.shift()!;
      this.#advance();
      this.#active.push(pull);
      // Its manifest first: whether there is such an image.
      const missing = this.#sizes.get(pull.image) === null;
      const bytesPerNs = this.#profile.registryBytesPerSecond / NS_PER_SECOND;
      pull.leftBytes = missing ? 0 : pull.leftBytes;
      pull.leftBytes += registryRoundTripNs * bytesPerNs;
      this.#schedule();
    }
  }

  /** All that are under way share the bandwidth evenly. */
  #advance(): void {
    const { nowNs } = this.#sim;
    const share = this.#profile.registryBytesPerSecond / NS_PER_SECOND / this.#active.length;
    for (const pull of this.#active) pull.leftBytes -= (nowNs - this.#updatedNs) * share;
    this.#updatedNs = nowNs;
  }

  #schedule(): void {
    this.#clock.cancel(this.#next);
    if (this.#active.length === 0) return;
    const least = Math.min(...this.#active.map(({ leftBytes }) => leftBytes));
    const share = this.#profile.registryBytesPerSecond / NS_PER_SECOND / this.#active.length;
    const waitNs = Math.max(0, Math.ceil(least / share));
    this.#next = this.#clock.after(waitNs, Phase.complete, () => this.#arrived());
  }

  #arrived(): void {
    this.#advance();
    // Less than a byte is left by rounding.
    const done = this.#active.filter(({ leftBytes }) => leftBytes < 1);
    this.#active = this.#active.filter(({ leftBytes }) => leftBytes >= 1);
    this.#startNext();
    this.#schedule();
    for (const { image, done: tell } of done) {
      if (this.#sizes.get(image) === null) {
        tell("ErrImagePull");
        continue;
      }
      this.#present.add(image);
      this.#backoffs.delete(image);
      tell(null);
    }
  }

  #failed(image: string): void {
    const { imageBackoffBaseNs, imageBackoffMaxNs } = this.#profile;
    const known = this.#backoffs.get(image);
    const backoffNs =
      known === undefined ? imageBackoffBaseNs : Math.min(imageBackoffMaxNs, 2 * known.backoffNs);
    this.#backoffs.set(image, { backoffNs, updatedNs: this.#sim.nowNs });
  }
}

/** SetDefaults_Container: an image that is tagged latest, or not at all, is asked for each time. */
function pullPolicyOf({ image, imagePullPolicy }: Container): ImagePullPolicy {
  if (imagePullPolicy !== undefined) return imagePullPolicy;
  const name = image.slice(image.lastIndexOf("/") + 1);
  const isLatest = !name.includes("@") && (!name.includes(":") || name.endsWith(":latest"));
  return isLatest ? "Always" : "IfNotPresent";
}
