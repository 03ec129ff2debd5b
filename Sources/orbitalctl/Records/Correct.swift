import ArgumentParser
import Foundation
import Usage
import UsageStore

/// Takes back the credits of records.
struct Correct: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes back the credits of the records that match some filters.",
        discussion: """
            For each record, records a correction with negative credits, which takes back what earlier \
            corrections have left; the record itself stays. The filters are those of GET /usage; at \
            least one is needed. Corrections and closed records are left out. Runs in short \
            transactions: if it is stopped, run it again; nothing is taken back twice.

            To charge another price: see "A price was wrong" in the runbook.
            """)

    @OptionGroup(title: "Filters") var filters: FilterOptions
    @Option(help: "Why; 1 to 500 characters, which the receipts show.") var reason: String
    @Flag(
        help:
            "Date each correction as its record, so that it counts in the same period. (default: now)"
    )
    var originalTime = false
    @Flag(help: "Only report what would be corrected.") var dryRun = false
    @Flag(help: "Do not ask for confirmation on a terminal.") var yes = false

    func validate() throws {
        guard !filters.isEmpty else {
            throw ValidationError(
                "Give at least one filter, such as --user-id or --from; "
                    + "--from 2000-01-01 matches all records.")
        }
        if let fault = UsageRecord.Column.reason.faults(reason).first {
            throw ValidationError("--\(fault.message)")
        }
    }

    func run() throws {
        let store = try longStore("correct")
        let filter = try filters.filter(store)
        if dryRun || !yes && isatty(STDIN_FILENO) == 1 {
            let found = try correct(filter, store, isDryRun: true)
            print("would correct \(found.summary)")
            if dryRun { return }
            note("Type yes to correct them:")
            guard readLine() == "yes" else {
                throw Failure(message: "nothing was corrected", status: EX_DATAERR)
            }
        }
        print("corrected \(try correct(filter, store, isDryRun: false).summary)")
    }

    private func correct(
        _ filter: UsageFilter, _ store: UsageStore, isDryRun: Bool
    ) throws -> CorrectedRecords {
        let progress = Progress(unit: "records", totalBytes: nil)
        defer { progress.end() }
        return try store.correctAll(
            filter, reason: reason, isAtOriginalTime: originalTime, isDryRun: isDryRun
        ) { progress.show($0) }
    }
}

extension CorrectedRecords {
    /// What was corrected.
    fileprivate var summary: String {
        let rest = skipped == 0 ? "" : "; nothing was left of \(counted(skipped, "other record"))"
        return "\(counted(count, "record")) by \(credits) credits\(rest)"
    }
}
