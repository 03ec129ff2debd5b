import Testing
import Usage

@Suite struct `The bounds of a key` {
    private func bounds(
        _ user: String? = nil, _ team: String? = nil, _ tags: KeyValuePairs<String, String> = [:]
    ) -> Bounds {
        var bounds = Bounds()
        bounds.userID = user
        bounds.teamID = team
        bounds.tags = tags.map { (key: $0.key, value: $0.value) }
        return bounds
    }

    private func message(
        _ user: String? = nil, _ team: String? = nil, _ tags: String? = nil
    ) -> UsageRecord {
        var message = UsageRecord()
        message.attribution.userID = user
        message.attribution.teamID = team
        message.attribution.tags = tags
        message.attribution.model = "gpt-5"
        return message
    }

    @Test func `fill in what a message lacks, and change nothing else`() {
        let bounds = bounds("u", "t", ["env": "prod", "z": #"a"b\c:d"#])
        let all = message("u", "t", #"{"a":"1","env":"prod","z":"a\"b\\c:d"}"#)
        for given in [
            message(nil, nil, #"{"a":"1"}"#), message("u", nil, #"{"a":"1","env":"prod"}"#),
            message(nil, "t", #"{"a":"1","z":"a\"b\\c:d"}"#), all,
        ] {
            var stamped = given
            #expect(bounds.stamp(&stamped) == [])
            #expect(stamped == all)
            #expect(bounds.contain(stamped))
            #expect(bounds.contain(given) == (given == all))
        }
        var untouched = message("v", nil, nil)
        #expect(Bounds().stamp(&untouched) == [] && untouched == message("v", nil, nil))
        #expect(Bounds().contain(untouched) && Bounds().isEmpty && !bounds.isEmpty)
    }

    @Test func `refuse every member with another value, also one that only looks the same`() {
        let bounds = bounds("caf\u{e9}", "t", ["env": "\u{e9}"])
        // é as two code points: Swift takes both for equal, PostgreSQL does not.
        for other in ["cafe\u{301}", "caf\u{e9} ", "CAF\u{c9}", ""] {
            var message = message(other, "T", #"{"env":"e\#u{301}"}"#)
            #expect(!bounds.contain(message))
            #expect(
                bounds.stamp(&message) == [
                    MessageFault(
                        "user_id", .outOfBounds,
                        "user_id must be caf\u{e9}, to which the key is bound, or be omitted."),
                    MessageFault(
                        "team_id", .outOfBounds,
                        "team_id must be t, to which the key is bound, or be omitted."),
                    MessageFault(
                        "tags", .outOfBounds,
                        "tags.env must be \u{e9}, to which the key is bound, or be omitted."),
                ])
        }
    }

    @Test func `refuse a ninth tag`() {
        let eight = (1...8).map { #""k\#($0)":"v""# }.joined(separator: ",")
        var full = message(nil, nil, "{\(eight)}")
        #expect(bounds(nil, nil, ["k1": "v"]).stamp(&full) == [])
        let faults = bounds(nil, nil, ["env": "prod"]).stamp(&full)
        #expect(faults.map(\.name) == ["tags"] && faults.map(\.code) == [.tooMany])
    }

    @Test func `are written as a JSON object`() {
        #expect(Bounds().json == "{}")
        #expect(bounds("u\"", nil, [:]).json == #"{"user_id":"u\""}"#)
        #expect(
            bounds("u", "t", ["env": "prod", "a": "é"]).json
                == #"{"user_id":"u","team_id":"t","tags":{"a":"é","env":"prod"}}"#)
    }
}
