import HTTP
import Testing
@testable import UsageAPI

@Suite struct `The memory for answers` {
    private func answer(_ text: String) -> KeptAnswer {
        KeptAnswer(
            Answer(contentType: "text/plain", body: .bytes([])), bytes: Array(text.utf8))
    }

    private func text(_ cache: AnswerCache, _ key: String, _ revision: Int64) -> String? {
        guard let answer = cache.answer(for: Array(key.utf8), at: revision),
            case .bytes(let bytes) = answer.answer.body
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `gives an answer back while the revision stands`() {
        let cache = AnswerCache(byteLimit: 1 << 20)
        #expect(text(cache, "a", 1) == nil)
        cache.keep(answer("one"), for: Array("a".utf8), at: 1)
        #expect(text(cache, "a", 1) == "one")
        #expect(text(cache, "b", 1) == nil)
        #expect(text(cache, "a", 2) == nil)
        // What was kept at 1 is gone for good, even if a restored backup counts through 1 again.
        #expect(text(cache, "a", 1) == nil)
    }

    @Test func `does not take an answer of another revision`() {
        let cache = AnswerCache(byteLimit: 1 << 20)
        _ = cache.answer(for: Array("a".utf8), at: 5)
        cache.keep(answer("late"), for: Array("a".utf8), at: 4)
        cache.keep(answer("early"), for: Array("a".utf8), at: 6)
        for revision in Int64(4)...6 { #expect(text(cache, "a", revision) == nil) }
    }

    @Test func `stays within its bytes, and forgets what was used least lately`() {
        let cache = AnswerCache(byteLimit: 10_000)
        _ = cache.answer(for: Array("".utf8), at: 1)
        let body = String(repeating: "x", count: 1000)
        for key in ["a", "b", "c", "d"] { cache.keep(answer(body), for: Array(key.utf8), at: 1) }
        #expect(text(cache, "a", 1) == body)
        cache.keep(answer(body), for: Array("e".utf8), at: 1)
        #expect(text(cache, "b", 1) == nil)
        for key in ["a", "c", "d", "e"] { #expect(text(cache, key, 1) == body) }
        cache.keep(answer(String(repeating: "x", count: 10_000)), for: Array("f".utf8), at: 1)
        #expect(text(cache, "f", 1) == nil)
        #expect(text(cache, "a", 1) == body)
    }

    @Test func `keeps nothing without room`() {
        let cache = AnswerCache(byteLimit: 0)
        _ = cache.answer(for: Array("a".utf8), at: 1)
        cache.keep(answer(""), for: Array("a".utf8), at: 1)
        #expect(text(cache, "a", 1) == nil)
        #expect(!cache.isOn)
    }
}
