import ArgumentParser
import Foundation
import UsageStore

/// Moves the revision on, which answers are named by.
struct Revision: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the revision newer than any before, as a restored database needs.",
        discussion: """
            A database that was restored to an earlier state would count through revisions that \
            clients know from the time that was lost, and tell them that nothing has changed.
            """,
        subcommands: [Advance.self])

    struct Advance: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts the revision where it has never been; run it after each restore.",
            discussion: """
                That is the server's clock in microseconds: every change adds one, so no revision \
                ever was ahead of it. Exit status 65 when the clock says otherwise.
                """)

        func run() throws {
            try reporting {
                do {
                    let (before, now) = try administratorsStore().advanceRevision()
                    print("the revision was \(before), and is \(now)")
                } catch let error as ClockBehindRevision {
                    throw Failure(message: error.description, status: EX_DATAERR)
                }
            }
        }
    }
}
