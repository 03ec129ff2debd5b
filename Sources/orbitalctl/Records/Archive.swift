import APIKeys
import Encoding
import Foundation
import MessageReader
import Usage
import UsageStore

/// An archive of closed records: an export, compressed, and a manifest that describes it.
struct Archive {
    /// Where both files are.
    let directory: String

    /// The first instant that is not in it.
    let before: Timestamp

    /// What the manifest says.
    struct Manifest: Decodable, Equatable {
        let file: String
        let before: String
        let begun_at: String
        let records: Int64
        let credits_used: Decimal
        let bytes: Int
        let sha256: String
    }

    init(directory: String, before: Timestamp) {
        self.directory = directory
        self.before = before
    }

    /// The archive of a closing; `directory` is where it is now, if it was moved.
    init(of closing: Closing, in directory: String? = nil) {
        self.init(directory: directory ?? closing.directory, before: closing.before)
    }

    /// The name of the file, without colons, which some file systems refuse.
    private var fileName: String {
        let time = before.description
        let day = time.hasSuffix("T00:00:00Z") ? String(time.prefix(10)) : time
        return "usage-before-\(day.filter { $0 != ":" }).ndjson.gz"
    }

    /// The records, after the rates.
    var path: String { "\(directory)/\(fileName)" }

    /// The description of the records.
    var manifestPath: String {
        path.replacing(".ndjson.gz", with: ".manifest.json")
    }

    private var manifest: Manifest? {
        FileManager.default.contents(atPath: manifestPath).flatMap {
            try? JSONDecoder().decode(Manifest.self, from: $0)
        }
    }

    /// Whether one of its files exists.
    var exists: Bool {
        [path, manifestPath].contains(where: FileManager.default.fileExists)
    }

    /// Throws a `Failure` if the files exist, unless an interrupted run of `closing` has written them;
    /// nil is a closing that has not begun.
    ///
    /// Those of another closing, maybe of another database, must stay: its records are deleted.
    func checkNames(of closing: Closing?) throws {
        let isOwn = closing.map { $0.begunAt.description == manifest?.begun_at } ?? false
        guard !exists || isOwn else {
            throw Failure(
                message: "\(path) or its manifest exists, and is not of this closing; name another "
                    + "directory",
                status: EX_CANTCREAT)
        }
    }

    /// Removes the files, and incomplete ones of runs that were killed.
    private func remove() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            let file = "\(directory)/\(name)"
            if [path, manifestPath].contains(file) || isAbandoned(file) {
                try FileManager.default.removeItem(atPath: file)
            }
        }
    }

    private func isAbandoned(_ file: String) -> Bool {
        [path, manifestPath].contains { path in
            guard file.hasPrefix("\(path).partial-"),
                let process = file.split(separator: "-").last.flatMap({ pid_t($0) })
            else { return false }
            return kill(process, 0) != 0 && errno == ESRCH
        }
    }

    /// Writes both files; calls `progress` with the number of records so far.
    ///
    /// The manifest comes last, so an archive with a manifest is complete.
    func write(
        _ snapshot: Snapshot, of closing: Closing, progress: (Int) -> Void
    ) throws -> Closing.Archived {
        try checkNames(of: closing)
        try remove()
        let file = try PackedOutput(path: path)
        var items = ItemWriter(format: .ndjson, bom: false)
        for (index, rate) in try snapshot.creditRates().enumerated() {
            try file.write(items.encoded(rate, number: index + 1))
        }
        var sum = Sum()
        try snapshot.forEachMessage(isClosing: true) { message in
            try file.write(items.encoded(message))
            sum.add(message)
            progress(sum.records)
        }
        // Somebody may have written it meanwhile.
        try checkNames(of: nil)
        let digest = try file.close()
        let archived = Closing.Archived(
            records: Int64(sum.records), credits: sum.credits, sha256: digest)
        do {
            try describe(archived, of: closing, byteCount: file.byteCount)
        } catch {
            try? remove()
            throw error
        }
        return archived
    }

    private func describe(
        _ archived: Closing.Archived, of closing: Closing, byteCount: Int
    ) throws {
        var json = JSONWriter()
        json.object { json in
            json.member("file", fileName)
            json.member("before", before.description)
            json.member("begun_at", closing.begunAt.description)
            json.member("records", literal: String(archived.records))
            json.member("credits_used", literal: archived.credits)
            json.member("bytes", literal: String(byteCount))
            json.member("sha256", archived.sha256)
        }
        let manifest = try OutputFile(path: manifestPath)
        try manifest.write(json.bytes + [0x0a])
        try manifest.close()
    }

    /// What is wrong with the files of a closing, as sentences; none if they are not written yet.
    ///
    /// The SHA-256 is enough for the records, because the closing has read them; their ids must be
    /// entered.
    func verify(_ closing: Closing, _ store: UsageStore) throws -> [String] {
        guard let expected = closing.archive else { return [] }
        let faults = try described(by: expected)
        guard faults.isEmpty, closing.step == .closed || closing.step == .done else {
            return faults
        }
        var open = 0
        var batch: [(messageID: Int64, externalID: String?)] = []
        func look() throws {
            open += try store.countOpen(batch)
            batch.removeAll(keepingCapacity: true)
        }
        try forEachMessage { message in
            batch.append((message.messageID ?? 0, message.externalID))
            if batch.count == 10_000 { try look() }
        }
        try look()
        return open == 0
            ? []
            : ["\(path) has \(counted(open, "record")) whose ids usage_closed_id does not have"]
    }

    /// What is wrong with the files, as sentences, compared with what was written; reads the file as an
    /// import does, and calls `progress` with the number of records so far.
    func faults(_ expected: Closing.Archived, progress: (Int) -> Void) throws -> [String] {
        var faults = try described(by: expected)
        guard faults.isEmpty else { return faults }
        let sum = try sum(progress)
        if sum.records != expected.records || sum.credits != expected.credits {
            faults.append(
                "\(path) has \(counted(sum.records, "record")), \(sum.credits) credits; expected "
                    + "\(expected.records), \(expected.credits)")
        }
        return faults
    }

    private func described(by expected: Closing.Archived) throws -> [String] {
        guard FileManager.default.isReadableFile(atPath: path),
            let described = FileManager.default.contents(atPath: manifestPath)
        else { return ["\(path) or its manifest is missing or not readable"] }
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: described) else {
            return ["\(manifestPath) is not a manifest"]
        }
        var faults: [String] = []
        func compare(_ what: String, _ found: String, _ expected: String) {
            if found != expected { faults.append("\(what) is \(found), expected \(expected)") }
        }
        compare("\(manifestPath): file", manifest.file, fileName)
        compare("\(manifestPath): before", manifest.before, before.description)
        compare("\(manifestPath): records", "\(manifest.records)", "\(expected.records)")
        compare("\(manifestPath): sha256", manifest.sha256, expected.sha256)
        if manifest.credits_used != Decimal(string: expected.credits) {
            compare("\(manifestPath): credits_used", "\(manifest.credits_used)", expected.credits)
        }
        compare("the SHA-256 of \(path)", try digest(), expected.sha256)
        return faults
    }

    /// The SHA-256 of the file, read from the disk.
    private func digest() throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("cannot read \(path)", status: EX_NOINPUT) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        let digest = StreamedDigest()
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty { digest.add(piece) }
        return digest.end()
    }

    /// The sum of the records in the file.
    private func sum(_ progress: (Int) -> Void) throws -> Sum {
        var sum = Sum()
        try forEachMessage { message in
            sum.add(message)
            progress(sum.records)
        }
        return sum
    }

    /// The number of records in the file for which `condition` holds.
    func count(where condition: (UsageRecord) -> Bool) throws -> Int {
        var count = 0
        try forEachMessage { if condition($0) { count += 1 } }
        return count
    }

    private func forEachMessage(_ body: (UsageRecord) throws -> Void) throws {
        var items = try RatedSource(
            NDJSONSource(input: Input(path: path)), path: path, delimiter: nil)
        while let item = try items.next() {
            guard case .message(let content) = item.content, let message = content.message else {
                throw Failure(
                    message: "\(path): line \(item.line) cannot be imported", status: EX_DATAERR)
            }
            try body(message)
        }
    }
}
