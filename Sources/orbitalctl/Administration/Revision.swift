import ArgumentParser
import UsageStore

/// Advances the revision, which ETags contain.
struct Revision: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Advances the revision after a restore.",
        discussion: """
            ETags contain the revision. A restored database would reuse revisions that clients have \
            seen, and clients could get a wrong "not modified".
            """,
        subcommands: [Advance.self])

    struct Advance: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Advances the revision past every value ever used; run after each restore.",
            discussion: """
                The new revision is PostgreSQL's time in microseconds. Earlier revisions are \
                lower, because each change only adds one. Exit status 65 if the clock is behind \
                the revision.
                """)

        func run() throws {
            let (before, now) = try administratorsStore().advanceRevision()
            print("revision advanced from \(before) to \(now)")
        }
    }
}
