/**
 * The cluster: what its servers must have in common.
 *
 * @module
 */

import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/**
 * Checks what clustering needs besides common secrets, which the rules of the settings require.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export function checkCluster({ plan }: CheckContext): Finding[] {
  if (!effectiveFlag(plan, "ClusterSettings.Enable")) {
    return [
      ok("cluster", "Clustering is turned off (MATTERMOST_ENABLE_CLUSTER)"),
    ];
  }
  const { settings } = plan;
  const found: Finding[] = [];
  if (settings.MATTERMOST_EDITION !== "enterprise") {
    found.push(warning("cluster.edition", {
      message: "Clustering requires the Enterprise edition with a licence",
      remedy:
        "Use an image of the Enterprise edition, and set MM_LICENSE to the licence",
    }));
  }
  const driver = effectiveText(plan, "FileSettings.DriverName");
  if (driver === "" || driver === "local") {
    found.push(warning("cluster.files", {
      message:
        `Uploaded files are stored in ${settings.MATTERMOST_DATA_DIR}, which all servers of the cluster must share`,
      remedy:
        "Mount the same network file system there on each server, or set S3_BUCKET",
    }));
  }
  if (effectiveText(plan, "ClusterSettings.ClusterName") === "") {
    found.push(warning("cluster.name", {
      message: "The cluster has no name (MATTERMOST_CLUSTER_NAME)",
      remedy: "MATTERMOST_CLUSTER_NAME=production   # the same on each server",
    }));
  }
  return found.length > 0 ? found : [
    ok(
      "cluster",
      "The cluster has a name, shared file storage and common secrets",
    ),
  ];
}
