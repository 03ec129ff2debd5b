import ArgumentParser
import Configuration
import Encoding
import Foundation
import Usage
import UsageStore

/// Maintains the rollups: the sums from which summaries are calculated.
struct Rollup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Maintains the rollups, from which sums are calculated.",
        discussion: """
            Rollups change the cost of a sum, never its value. Statements that change records add \
            deltas; the responder merges them within seconds.
            """,
        subcommands: [Merge.self, Rebuild.self, Status.self, Zones.self])

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Merges waiting deltas into the rollups.",
            discussion: """
                For systems without a running responder, such as CGI. Exit status 75 if another \
                transaction prevents it for five seconds.
                """)

        func run() throws {
            let store = try longStore("rollup")
            let deadline = ContinuousClock.now + .seconds(5)
            // What waits now, and no later deltas.
            let limit = max(1, try store.rollupStatus().deltas)
            var count = try store.mergeRollups(limit: limit)
            while count == 0, let holder = try store.rollupsHolder() {
                guard ContinuousClock.now < deadline else {
                    throw Failure(message: "nothing is merged: \(holder)", status: EX_TEMPFAIL)
                }
                Thread.sleep(forTimeInterval: 0.1)
                count = try store.mergeRollups(limit: limit)
            }
            print("merged \(counted(count, "delta"))")
        }
    }

    struct Rebuild: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sums all records anew, beside readers and writers.",
            discussion: """
                Needed if verify or check finds that rollups differ from the records: after a \
                data-only restore, or if triggers were disabled. It may be stopped anywhere, and \
                begins again then. Sums of closed records do not change.
                """)

        func run() throws {
            let months = try building { try $0.rebuildRollups(progress: $1) }
            print("summed the records of \(counted(months, "month"))")
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows whether the rollups are complete, deltas that wait, and the zones.",
            discussion: "Exit status 1 if they are not complete.")

        @Flag(help: "Print a JSON object.") var json = false

        func run() throws {
            let status = try administratorsStore().rollupStatus()
            json ? printJSON(status) : printLines(status)
            guard status.isComplete else { throw ExitCode.failure }
        }

        private func printLines(_ status: RollupStatus) {
            print(status.isBuilt ? "complete" : "not complete; run: orbitalctl rollup rebuild")
            print("waiting: \(counted(status.deltas, "delta"))")
            print("merged at: \(status.mergedAt.map { "\($0)" } ?? "never")")
            print("size: \(counted(status.bytes, "byte"))")
            for zone in status.zones { print("zone: \(zone.line)") }
        }

        private func printJSON(_ status: RollupStatus) {
            var json = JSONWriter()
            json.object { json in
                json.member("complete", literal: "\(status.isBuilt)")
                json.member("waiting_deltas", literal: "\(status.deltas)")
                json.member("merged_at", status.mergedAt?.description, isQuoted: true)
                json.member("bytes", literal: "\(status.bytes)")
                json.name("zones")
                json.array { json in
                    for zone in status.zones { json.object { zone.write(to: &$0) } }
                }
            }
            print(String(decoding: json.bytes, as: UTF8.self))
        }
    }
}

extension Rollup {
    /// The time zones in which sums by report and attribution are ready.
    struct Zones: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds, removes and lists the reporting zones.",
            discussion: """
                In a reporting zone, sums grouped by report, user, team, model or tag cost the same \
                for any number of records; in another zone, they read the records. Each zone takes \
                space and time of each merge.
                """,
            subcommands: [Add.self, Remove.self, List.self])

        struct Add: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Adds a reporting zone, and sums the records in it.",
                discussion: """
                    Beside readers and writers. If it is stopped, run it again, and it continues; after \
                    ten minutes, the responder does.
                    """)

            @Argument(help: "A name of the IANA database, such as Europe/London.") var zone: String

            func run() throws {
                let store = try longStore("rollup")
                guard let zone = try store.zone(like: zone) else {
                    throw Failure(
                        message: "\(self.zone) is no time zone; use a name such as Europe/London",
                        status: EX_DATAERR)
                }
                var isNew = false
                let months = try building { isNew = try $0.addReportingZone(zone, progress: $1) }
                guard isNew else { return print("\(zone) is a reporting zone already") }
                print("added \(zone), and summed the records of \(counted(months, "month"))")
            }
        }

        struct Remove: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Removes a reporting zone and its sums; the last one stays.",
                discussion: "So does one that has the sums of all closed records.")

            @Argument(help: "Its name.") var zone: String

            func run() throws {
                try longStore("rollup").removeReportingZone(zone)
                print("removed \(zone)")
            }
        }

        struct List: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Lists the reporting zones, and since when they have sums.")

            @OptionGroup var format: ListFormat

            func run() throws {
                let zones = try administratorsStore().rollupStatus().zones
                format.show(zones, line: \.line) { zone, json in zone.write(to: &json) }
            }
        }
    }
}

extension RollupStatus {
    /// Whether the levels and all reporting zones are complete.
    var isComplete: Bool { isBuilt && zones.allSatisfy(\.isBuilt) }
}

extension RollupStatus.Zone {
    fileprivate var line: String {
        name + (isBuilt ? "" : ", not complete")
            + (completeFrom.map { ", has sums from \($0) on" } ?? "")
    }

    fileprivate func write(to json: inout JSONWriter) {
        json.member("zone", name)
        json.member("complete", literal: "\(isBuilt)")
        if let completeFrom { json.member("complete_from", completeFrom.description) }
    }
}

/// Sums records, with progress on a terminal; the number of months.
private func building(
    _ build: (UsageStore, @escaping (String) -> Void) throws -> Void
) throws -> Int {
    let progress = Progress(unit: "months", totalBytes: nil)
    defer { progress.end() }
    var months: Set<String> = []
    try build(try longStore("rollup")) { step in
        // Each month once, also in several zones.
        months.insert(step.components(separatedBy: " in ")[0])
        progress.show(step)
    }
    return months.count
}
