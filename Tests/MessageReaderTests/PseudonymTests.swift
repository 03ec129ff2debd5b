import Encoding
import MessageReader
import Testing
import Usage

/// What only erased users are called.
@Suite struct `The form of a pseudonym` {
    private func faults(_ members: String, _ form: MessageForm) -> [String] {
        let json =
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"Hi",\#(members)}"#
        return MessageItem(JSONItem(Array(json.utf8)), form).faults.map(\.message)
    }

    @Test func `is refused in a request, and read from a file`() {
        let members =
            #""user_id":"erased-0123456789ab","tags":{"a":"erased-ffffffffffff"}"#
        let reserved =
            "must not be erased- and 12 hexadecimal digits, which is reserved for erased users."
        #expect(
            faults(members, .request) == ["user_id \(reserved)", "tags.a \(reserved)"])
        #expect(faults(members, .file) == [])
    }

    @Test(arguments: [
        "erased-0123456789AB", "erased-0123456789abc", "Erased-0123456789ab", "erased-",
    ])
    func `does not include others`(user: String) {
        #expect(faults(#""user_id":"\#(user)""#, .request) == [])
    }
}
