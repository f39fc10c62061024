/**
 * What several servers on one database have to share.
 *
 * @module
 */

import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/**
 * Checks what clustering needs besides the secrets, which the settings' own rules demand.
 *
 * @param world The plan.
 * @returns The findings.
 */
export function checkCluster({ plan }: CheckWorld): Finding[] {
  if (!effectiveFlag(plan, "ClusterSettings.Enable")) {
    return [ok("cluster", "Not used: MATTERMOST_ENABLE_CLUSTER is not true")];
  }
  const { settings } = plan;
  const found: Finding[] = [];
  if (settings.MATTERMOST_EDITION !== "enterprise") {
    found.push(warning("cluster.edition", {
      message: "Clustering needs the Enterprise edition and its licence",
      remedy: "Use the image of the Enterprise edition, and MM_LICENSE",
    }));
  }
  if (effectiveText(plan, "FileSettings.DriverName") !== "amazons3") {
    found.push(warning("cluster.files", {
      message:
        `Uploaded files are kept in ${settings.MATTERMOST_DATA_DIR}, which all servers have to share`,
      remedy:
        "Mount the same NFS or cluster file system there on each server, or set S3_BUCKET",
    }));
  }
  if (effectiveText(plan, "ClusterSettings.ClusterName") === "") {
    found.push(warning("cluster.name", {
      message: "The cluster has no name",
      remedy: "MATTERMOST_CLUSTER_NAME=production   # the same on each server",
    }));
  }
  return found.length > 0
    ? found
    : [ok("cluster", "Shared files, a name and the secrets are there")];
}
