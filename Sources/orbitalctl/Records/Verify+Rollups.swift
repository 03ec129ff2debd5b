import UsageStore

extension Verify {
    /// Compares each level of the rollups with the records.
    func compareRollups(_ snapshot: Snapshot, _ findings: inout Findings) throws {
        let before = findings.count
        try snapshot.forEachRollupDifference { findings.add($0) }
        guard findings.count > before else { return }
        note("orbitalctl: rollups differ from the records; remedy: orbitalctl rollup rebuild")
    }
}
