import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `The page` {
    @Test func `is quick with the records of the demo`() throws {
        let site = try Site()
        defer { site.stop() }
        try checkPage("speed", of: site)
    }

    @Test func `takes no more memory for a million records`() throws {
        let site = try Site()
        defer { site.stop() }
        try checkPage("million", of: site)
    }
}
