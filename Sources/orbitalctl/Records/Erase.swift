import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Erases texts.
struct Erase: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Erases texts of messages; counts and credits stay.",
        subcommands: [Text.self])

    struct Text: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the texts of old messages with their digests.",
            discussion: """
                Without --before: the texts of messages older than the days of STORE_TEXT; if that is \
                on or off, none. \(resumable)
                """)

        @Option(help: "A date (midnight UTC) or RFC 3339 time; later messages keep their texts.")
        var before: String?
        @Flag(help: "Only report what would change.") var dryRun = false

        func validate() throws {
            guard before.map({ instant($0) != nil }) ?? true else {
                throw ValidationError("--before must be a date or RFC 3339 with an offset.")
            }
        }

        func run() throws {
            let settings = try Settings.administrators()
            guard let end = before.flatMap(instant) ?? settings.storeText.end else {
                return print(
                    "STORE_TEXT=\(settings.storeText) has no number of days: nothing to erase")
            }
            let store = erasingStore(settings)
            let progress = Progress(unit: "texts", totalBytes: nil)
            defer { progress.end() }
            let texts = try store.eraseTexts(before: end, isDryRun: dryRun) { progress.show($0) }
            progress.end()
            print(
                "\(dryRun ? "would erase" : "erased") \(counted(texts.count, "text")) of messages "
                    + "before \(end)\(texts.ending)")
            if !dryRun, texts.count > 0 { tidy(store) }
            if texts.skipped > 0 { throw ExitCode.failure }
        }
    }
}

private let resumable = """
    Each batch is a transaction: if the command is stopped, run it again to continue. Exit status 1 \
    if records were skipped because other transactions were changing them.
    """

extension Settings.StoreText {
    /// Before this instant, texts are not stored; nil if that depends on the sender only.
    fileprivate var end: Timestamp? {
        guard case .days(let days) = self else { return nil }
        return Timestamp(microseconds: Timestamp.now.microseconds - Int64(days) * 86_400_000_000)
    }
}

extension ErasedTexts {
    /// How a report ends.
    fileprivate var ending: String {
        skipped == 0
            ? "" : "; \(skipped) skipped because of other transactions: run it again"
    }
}

/// A store with an hour for each statement, which may read all records.
private func erasingStore(_ settings: Settings) -> UsageStore {
    UsageStore(
        databaseURL: settings.databaseURL, applicationName: "orbitalctl erase", waitSeconds: 3600)
}

/// Vacuums after an erasure; a failure is only reported, because autovacuum follows.
private func tidy(_ store: UsageStore) {
    do {
        try store.tidyAfterErasure()
    } catch {
        note("orbitalctl: VACUUM failed, texts stay on disk until autovacuum runs: \(error)")
    }
}
