import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Erases texts and users.
struct Erase: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Erases texts of messages, or a user; counts and credits stay.",
        subcommands: [Text.self, User.self])

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
                    "STORE_TEXT=\(settings.storeText) is not a number of days: nothing is erased without "
                        + "--before")
            }
            let store = try longStore("erase", settings)
            let progress = Progress(unit: "texts", totalBytes: nil)
            defer { progress.end() }
            let texts = try store.eraseTexts(before: end, isDryRun: dryRun) { progress.show($0) }
            progress.end()
            print(
                "\(dryRun ? "would erase" : "erased") \(counted(texts.count, "text")) of messages "
                    + "before \(end)\(texts.ending)")
            // Also without texts: an earlier run may have been stopped before this.
            if !dryRun { tidy(store) }
            if texts.skipped > 0 { throw ExitCode.failure }
        }
    }

    struct User: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces a user's id with a random pseudonym, and removes the user's texts.",
            discussion: """
                One transaction replaces the id in the user's attributions, and in the tags named by \
                --tag, revokes the keys bound to the user, and ends the user's budgets. Then the texts and digests of the \
                user's records are removed. Other places that have the id are listed; they do not \
                change. Messages that arrive later are recorded with the id. \(resumable)
                """)

        @Argument(help: "The user_id.") var id: String
        @Option(help: "Also replace the id as the value of this tag; repeatable.") var tag:
            [String] = []
        @Flag(help: "Only report what would change.") var dryRun = false
        @Flag(help: "Do not ask for confirmation on a terminal.") var yes = false

        func validate() throws {
            guard UsageRecord.Column.userID.faults(id).isEmpty else {
                throw ValidationError(
                    "The id must have 1 to 200 characters, no control characters.")
            }
        }

        func run() throws {
            let store = try longStore("erase")
            let traces = try store.traces(of: id, tags: tag)
            report(traces)
            try reportArchives(store)
            if dryRun { return }
            if traces.attributions + traces.keys + traces.budgets > 0, !yes { try confirm() }
            let renamed = try store.renameUser(id, tags: tag)
            let progress = Progress(unit: "texts", totalBytes: nil)
            defer { progress.end() }
            let texts = try store.eraseTextsOfErasedUsers { progress.show($0) }
            progress.end()
            let renamedCount = renamed.attributions + renamed.keys + renamed.budgets
            guard renamedCount + texts.count + texts.skipped > 0 else {
                // An earlier run may have been stopped before this.
                tidy(store)
                throw Failure(message: "no attribution has this user", status: EX_DATAERR)
            }
            print(
                "erased the user in \(counted(renamed.attributions, "attribution")), revoked "
                    + "\(counted(renamed.keys, "key")), \(ended(renamed.budgets))removed "
                    + "\(counted(texts.count, "text"))\(texts.ending)")
            tidy(store)
            if texts.skipped > 0 { throw ExitCode.failure }
        }

        private func ended(_ budgets: Int) -> String {
            budgets == 0 ? "" : "ended \(counted(budgets, "budget")), "
        }

        private func report(_ traces: UserTraces) {
            print(
                "found \(counted(traces.attributions, "attribution")) with "
                    + "\(counted(traces.records, "record")), \(counted(traces.texts, "text")), "
                    + counted(traces.keys, "key")
                    + (traces.budgets == 0 ? "" : ", \(counted(traces.budgets, "budget"))"))
            for other in traces.others {
                let ids = other.ids.joined(separator: ", ") + (other.count > 5 ? ", …" : "")
                let times = counted(other.count, "time")
                print("not changed: \(other.place) has the id \(times): \(ids)")
            }
        }

        /// Lists the archives that have the user; they are not rewritten.
        private func reportArchives(_ store: UsageStore) throws {
            for archive in try store.closings().filter({ $0.archive != nil }).map({
                Archive(of: $0)
            }) {
                guard archive.exists else {
                    print("not searched: \(archive.path) is not there")
                    continue
                }
                do {
                    let count = try archive.count { $0.attribution.userID == id }
                    if count > 0 {
                        print(
                            "not changed: \(archive.path) has the user in \(counted(count, "record"))"
                        )
                    }
                } catch let failure as Failure {
                    // A damaged archive must not prevent the erasure.
                    print("not searched to its end: \(failure.message)")
                }
            }
        }

        /// Asks on a terminal; elsewhere the command line is the confirmation.
        private func confirm() throws {
            guard isatty(STDIN_FILENO) == 1 else { return }
            note("This cannot be undone. Type yes to erase the user:")
            guard readLine() == "yes" else {
                throw Failure(message: "nothing was erased", status: EX_DATAERR)
            }
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

/// Vacuums after an erasure or a closing; a failure is only reported, because autovacuum follows.
func tidy(_ store: UsageStore) {
    do {
        try store.tidyAfterErasure()
    } catch {
        note("orbitalctl: VACUUM failed, the space is not free until autovacuum runs: \(error)")
    }
}
