import ArgumentParser
import Configuration
import Encoding
import Foundation
import Usage
import UsageStore

/// Closes the books.
struct Close: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Closes the books: archives and deletes old records; their sums and ids stay.",
        usage: """
            orbitalctl close --before TIME --archive DIRECTORY [--dry-run] [--yes]
            orbitalctl close status [--json]
            """,
        subcommands: [Run.self, Status.self], defaultSubcommand: Run.self)

    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Archives and deletes the records before a line.",
            discussion: """
                As soon as the line is in force, messages dated before it and messages with the id of a \
                closed record are refused (422 closed), and lists leave closed records out. Sums of \
                closed records stay the same. Sums that the rollups do not have, such as hours by user, \
                are refused. First add the reporting zones (rollup zones add) in which you will need \
                sums by report, user, team, model or tag: a zone that is added later has none of closed \
                records.

                The steps: the line is put in force; the sums before it are closed; the archive, \
                usage-before-DATE.ndjson.gz with a manifest, is written and read again; the ids are \
                entered; the records are deleted in batches. Readers and writers continue. Each step is \
                committed: if the command is stopped, run it again to continue. It cannot be undone, \
                but `import` reads the archive into an empty database, which has the same sums.
                """)

        @Option(
            help: """
                The first instant that stays open: a date (midnight UTC), or an RFC 3339 time on a \
                quarter of an hour, such as 2026-01-01T00:00:00-05:00; not before 2000 or in the future.
                """)
        var before: String
        @Option(help: "The directory for the archive.", completion: .directory) var archive: String
        @Flag(help: "Only report what would be closed.") var dryRun = false
        @Flag(help: "Do not ask for confirmation on a terminal.") var yes = false

        func validate() throws {
            guard let line = instant(before), line.microseconds % 900_000_000 == 0 else {
                throw ValidationError(
                    "--before must be a date, or RFC 3339 with an offset, on a quarter of an hour.")
            }
        }

        func run() throws {
            guard let line = instant(before) else { return }
            let directory = URL(fileURLWithPath: archive).standardizedFileURL.path
            let store = try longStore("close")
            try store.closingAlone { try close(store, line, directory) }
        }

        private func close(_ store: UsageStore, _ line: Timestamp, _ directory: String) throws {
            let unfinished = try store.closings().first { $0.before == line && $0.step != .done }
            if unfinished == nil { try store.checkClosing(before: line) }
            if unfinished?.archive == nil {
                let archive = Archive(directory: directory, before: line)
                try archive.checkNames(of: unfinished)
                // Whether files can be created; this one is removed at once.
                _ = try OutputFile(path: archive.path)
            }
            if unfinished == nil {
                let sum = try store.sum(before: line)
                print(
                    "\(dryRun ? "would close" : "closing") \(counted(Int(sum.records), "record")), "
                        + "\(sum.credits) credits, before \(line)")
                let zones = try store.rollupStatus().zones.map(\.name).joined(separator: ", ")
                print(
                    "their sums by value stay in \(zones); zones that are added later do not have them"
                )
            }
            if dryRun { return }
            if unfinished == nil, !yes { try confirm() }
            // A step may take long, and a log shall show the one before.
            fflush(nil)
            let progress = Progress(unit: "records", totalBytes: nil)
            defer { progress.end() }
            let closing = try store.beginClosing(before: line, directory: directory) {
                progress.show(waiting)
            }
            progress.end()
            do {
                try finish(closing, store)
            } catch {
                note(
                    "orbitalctl: the closing is not finished, and its line is in force; run the same "
                        + "command again to continue")
                throw error
            }
            tidy(store)
        }

        /// Takes all steps that are left.
        private func finish(_ begun: Closing, _ store: UsageStore) throws {
            var closing = begun
            print(closing.report)
            while closing.step != .done {
                fflush(nil)
                let records = Int(try store.closedSum(of: closing).records)
                // The archive is written and read again.
                let passes = closing.step == .summed ? 2 : 1
                let progress = Progress(unit: "records", totalBytes: passes * records)
                defer { progress.end() }
                try advance(closing, store, progress)
                store.release()
                closing = try store.closings().first { $0.before == closing.before } ?? closing
                progress.end()
                print(closing.report)
            }
        }

        /// Takes the next step.
        private func advance(
            _ closing: Closing, _ store: UsageStore, _ progress: Progress
        ) throws {
            switch closing.step {
            case .begun:
                try store.closeSums(of: closing) {
                    progress.show("closed the sums before \($0.prefix(10)) …")
                }
            case .summed: try write(closing, store, progress)
            case .archived:
                try store.closeIDs(of: closing, progress: { progress.show($0) }) {
                    progress.show(waiting)
                }
            case .closed: try store.deleteRecords(of: closing) { progress.show($0) }
            case .done: break
            }
        }

        private func write(_ closing: Closing, _ store: UsageStore, _ progress: Progress) throws {
            let archive = Archive(of: closing)
            let snapshot = try store.snapshot()
            try snapshot.waitForLocks()
            let archived = try archive.write(snapshot, of: closing) { progress.show($0) }
            store.release()
            var faults = try archive.faults(archived) {
                progress.show(Int(archived.records) + $0)
            }
            let sum = try store.closedSum(of: closing)
            if sum.records != archived.records || sum.credits != archived.credits {
                faults.append(
                    "the archive has \(archived.records) records, \(archived.credits) credits; the "
                        + "rollups have \(sum.records), \(sum.credits)")
            }
            guard faults.isEmpty else {
                throw Failure(message: faults.joined(separator: "\n"), status: EX_DATAERR)
            }
            try store.archive(closing, as: archived)
        }

        /// Asks on a terminal; elsewhere the command line is the confirmation.
        private func confirm() throws {
            guard isatty(STDIN_FILENO) == 1 else { return }
            note("This cannot be undone. Type yes to close the books:")
            guard readLine() == "yes" else {
                throw Failure(message: "nothing was closed", status: EX_DATAERR)
            }
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the closings: the line, the last step, and the archive.")
        @OptionGroup var format: ListFormat

        func run() throws {
            format.show(try administratorsStore().closings()) {
                "\($0.before)  \($0.report)"
            } members: { closing, json in
                json.member("before", closing.before.description)
                json.member("status", closing.step.rawValue)
                json.member("directory", closing.directory)
                if let archive = closing.archive {
                    json.member("file", Archive(of: closing).path)
                    json.member("records", literal: String(archive.records))
                    json.member("credits_used", literal: archive.credits)
                    json.member("sha256", archive.sha256)
                }
            }
        }
    }
}

extension Closing {
    /// The step that is done, as a sentence.
    fileprivate var report: String {
        let records = counted(Int(archive?.records ?? 0), "record")
        return switch step {
        case .begun: "begun: the line is in force"
        case .summed: "summed: the sums before the line are closed"
        case .archived:
            "archived: \(records), \(archive?.credits ?? "") credits, in \(Archive(of: self).path)"
        case .closed: "closed: no other message may have the ids of \(records)"
        case .done:
            "done: \(records), \(archive?.credits ?? "") credits, are in \(Archive(of: self).path)"
        }
    }
}

private let waiting = "waiting for transactions that are recording …"
