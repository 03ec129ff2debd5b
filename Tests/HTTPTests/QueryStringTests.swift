import HTTP
import Testing

@Suite struct `A query string` {
    private func pairs(_ text: String) -> [[String?]] {
        QueryString(text).parameters.map { [$0.name, $0.value] }
    }

    @Test(arguments: [
        ("", []), ("&", []), ("a", [["a", ""]]), ("a=", [["a", ""]]), ("=a", [["", "a"]]),
        ("a=b=c", [["a", "b=c"]]), ("a=1&a=2", [["a", "1"], ["a", "2"]]),
        ("a+b=c%20d", [["a b", "c d"]]), ("%C3%A9=%e6%BC%A2", [["é", "漢"]]),
    ])
    func `is a list of decoded pairs`(text: String, expected: [[String?]]) {
        #expect(pairs(text) == expected)
    }

    @Test(arguments: ["a=%", "a=%2", "a=%zz", "a=%ff", "a=%C3", "a=%ED%A0%80"])
    func `tells broken encoding from an empty value`(text: String) {
        #expect(pairs(text) == [["a", nil]])
    }
}
