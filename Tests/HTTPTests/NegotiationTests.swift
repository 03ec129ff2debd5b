import HTTP
import Testing

@Suite struct `Accept` {
    private static let types = ["application/json", "text/csv", "application/x-ndjson"]

    @Test(
        arguments: [
            (nil, "application/json"), ("", "application/json"), ("*/*", "application/json"),
            ("text/csv", "text/csv"), ("TEXT/CSV ; q=0.1", "text/csv"),
            ("text/html, */*;q=0.1", "application/json"),
            ("application/json;q=0.2, text/csv;q=0.21", "text/csv"),
            ("text/*, application/json;q=0.9", "text/csv"),
            ("*/*;q=0.5, application/json;q=0", "text/csv"),
            ("application/*;q=0.4, application/json;q=0.3, text/csv;q=0.1", "application/x-ndjson"),
            ("text/csv;header=present;q=1", "text/csv"),
            ("application/x-ndjson;q=1.000", "application/x-ndjson"),
            // Parts that cannot be read count for nothing.
            ("text/csv;q=2", "application/json"), ("nonsense", "application/json"),
            (",;q=1,/,text/", "application/json"), ("text/csv;q=-1, */*;q=0.1", "application/json"),
        ] as [(String?, String)])
    func `chooses`(field: String?, type: String) {
        #expect(MediaPreferences(field).best(of: Self.types) == type)
    }

    @Test(arguments: ["image/png", "application/json;q=0", "text/html, image/*", "*/*;q=0"])
    func `can accept no available type`(field: String) {
        #expect(MediaPreferences(field).best(of: Self.types) == nil)
    }
}

@Suite struct `If-None-Match` {
    private let tag = "4711-x-1"

    @Test(arguments: [
        "\"4711-x-1\"", "W/\"4711-x-1\"", "\"a\", \"4711-x-1\"", "\"a,b\",W/\"4711-x-1\" , \"c\"",
        "\"\", \"4711-x-1\"", "\"4711-x-1-gzip\"", "W/\"4711-x-1;gzip\"", "\"4711-x-1\"-gzip",
        "\"4711-x-1--gzip\"", "\"a\", \"4711-x-1-br\"", "\"4711-x-1;zstd\"", "\"4711-x-1-deflate\"",
    ])
    func `finds the tag, weakly and in a list`(field: String) {
        #expect(EntityTagCondition(field).contains(tag))
        #expect(!EntityTagCondition(field).isAny)
    }

    @Test(arguments: [
        nil, "", "4711-x-1", "\"4711-x-2\"", "\"4711-x-1", "\"a 4711-x-1\"", "\"4711-x-10\"",
        "\", 4711-x-1\"",
    ])
    func `is not fooled`(field: String?) { #expect(!EntityTagCondition(field).contains(tag)) }

    @Test func `can be any`() {
        #expect(EntityTagCondition(" * ").isAny)
        #expect(!EntityTagCondition("\"*\"").isAny)
    }
}

@Suite struct `URL text` {
    @Test func `is encoded byte by byte`() {
        #expect(URLText.encoded("/a b/é\r\n>%26", keeping: "/%") == "/a%20b/%C3%A9%0D%0A%3E%26")
    }
}
