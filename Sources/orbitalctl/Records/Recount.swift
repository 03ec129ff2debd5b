import ArgumentParser
import Configuration
import UsageStore

/// Replaces estimates with exact counts.
struct Recount: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Counts the tokens of records that plain SQL inserted as estimates.",
        discussion: """
            Updates token count, tokenizer and credits of estimates; other records do not change. \
            Each batch is a transaction: if the command is stopped, run it again to continue. Exit \
            status 1 if records were skipped because other transactions were changing them. Records \
            without a stored text, and corrected ones, remain estimates.
            """)

    @Flag(help: "Only report what would change.") var dryRun = false

    func run() throws {
        let store = try longStore("recount")
        let progress = Progress(unit: "records", totalBytes: nil)
        defer { progress.end() }
        let recount = try store.recount(try Tokenizers(of: .administrators()), isDryRun: dryRun) {
            progress.show($0)
        }
        progress.end()
        let words = dryRun ? ("would recount", "now", "then") : ("recounted", "before", "now")
        print(
            "\(words.0) \(counted(recount.count, "record")), \(recount.before) credits "
                + "\(words.1) and \(recount.after) \(words.2); \(recount.skipped) skipped"
                + (recount.skipped == 0
                    ? "" : " because other transactions are changing them: run it again")
                + remaining(recount.withoutText, "without text")
                + remaining(recount.corrected, "with a correction"))
        if recount.skipped > 0 { throw ExitCode.failure }
    }

    private func remaining(_ count: Int, _ kind: String) -> String {
        switch count {
        case 0: ""
        case 1: "; 1 record \(kind) remains an estimate"
        default: "; \(count) records \(kind) remain estimates"
        }
    }
}
