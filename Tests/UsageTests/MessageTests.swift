import Testing
import Usage

@Suite struct `A message` {
    private func make(reportName: String? = nil, text: String = "Hello") throws -> Message {
        try Message(
            messageID: 1, timestamp: Timestamp(microseconds: 0), reportName: reportName,
            text: text, creditsUsed: nil)
    }

    @Test func `may have no report name, or one of 500 characters`() throws {
        #expect(try make().reportName == nil)
        let name = String(repeating: "\u{1F600}", count: 500)
        #expect(try make(reportName: name).reportName == name)
    }

    @Test(arguments: [
        ("", "report_name is empty; leave it out instead"),
        (String(repeating: "x", count: 501), "report_name has more than 500 characters"),
        ("a\0b", "report_name contains NUL"),
    ])
    func `refuses report names that the table would refuse`(name: String, fault: String) {
        #expect(throws: MessageFault(fault)) { try make(reportName: name) }
    }

    @Test func `refuses a text with NUL, which PostgreSQL cannot keep`() {
        #expect(throws: MessageFault("message_text contains NUL")) { try make(text: "a\0") }
    }
}
