import CFastCGI
import CRecordFilter
import Glibc

/// One worker's `FCGX_Request`, used for one connection after another.
///
/// libfcgi's streams point back to the request, so it lives at an address that never changes.
final class FastCGIExchange: Exchange {
    private let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
    private var isAborted = false
    private(set) var arrival = ContinuousClock.now

    /// Short pieces that are buffered, so that a head is sent together with its body.
    private var pending: [UInt8] = []

    /// The most bytes that are buffered.
    private static let pendingLimit = 8192

    /// The most of an unread request body that is discarded: nginx's limit and some more.
    private static let discardLimit = 9 << 20

    init() {
        // Descriptor -1: `FCGX_Accept_r` must never accept a connection itself.
        FCGX_InitRequest(request, -1, 0)
    }

    deinit {
        FCGX_Free(request, 1)
        request.deallocate()
    }

    /// Reads the request that waits on `connection`; false if the peer disconnected or sent something
    /// malformed.
    func accept(_ connection: Int32, arrival: ContinuousClock.Instant) -> Bool {
        self.arrival = arrival
        isAborted = false
        pending.removeAll(keepingCapacity: true)
        request.pointee.ipcFd = connection
        request.pointee.keepConnection = 1
        request.pointee.appStatus = 0
        // Otherwise, closing waits up to 2 s for the peer to close first.
        request.pointee.detached = 1
        record_filter_reset()
        // On a broken peer libfcgi closes the connection, tries descriptor -1 and gets EBADF.
        return FCGX_Accept_r(request) == 0
    }

    func parameterBytes(_ name: String) -> [UInt8]? {
        guard let value = FCGX_GetParam(name, request.pointee.envp), value.pointee != 0 else {
            return nil
        }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }

    var clientDescriptor: Int32? { request.pointee.ipcFd }

    func readBody(upTo limit: Int) throws(FastCGIError) -> [UInt8]? {
        let length = contentLength
        guard length <= limit else { return nil }
        // One more byte for the NUL that the JSON reader appends: without it, appending would copy
        // the body.
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, length) + 1) { buffer, count in
            guard let base = buffer.baseAddress, length > 0 else { return }
            let read = base.withMemoryRebound(to: CChar.self, capacity: length) {
                FCGX_GetStr($0, Int32(length), request.pointee.in)
            }
            count = max(0, Int(read))
        }
        guard bytes.count == length else { throw FastCGIError("read", EPIPE) }
        return bytes
    }

    func write(_ bytes: Span<UInt8>) throws(FastCGIError) {
        if pending.count + bytes.count <= Self.pendingLimit {
            bytes.withUnsafeBytes { pending.append(contentsOf: $0) }
            return
        }
        let code = bytes.withUnsafeBytes { sendRecords([$0]) }
        guard code == 0 else { throw FastCGIError("writev", code) }
    }

    /// Sends the buffered bytes and `parts`; the `errno` of a failure, or 0.
    private func sendRecords(
        _ parts: [UnsafeRawBufferPointer], ending: FastCGIRecord.Ending? = nil
    ) -> Int32 {
        defer { pending.removeAll(keepingCapacity: true) }
        return pending.withUnsafeBytes { waiting in
            FastCGIRecord.write(
                [waiting] + parts, requestID: request.pointee.requestId, ending: ending,
                to: request.pointee.ipcFd)
        }
    }

    func abort() { isAborted = true }

    /// Ends the exchange; returns the connection if it can carry another request, else closes it.
    ///
    /// With `isFinal`, always closes it.
    func finish(isFinal: Bool = false) -> Int32? {
        if isAborted {
            closeAsBroken()
            return nil
        }
        // Closing a connection with unread bytes resets it, and the peer loses the response. Unread
        // records would be taken for the next request.
        let isDrained = discardBody()
        let isWanted = isDrained && request.pointee.keepConnection != 0
        let isSent = sendRecords([], ending: isWanted && isFinal ? .farewell : .kept) == 0
        let isKept = isWanted && isSent && !isFinal
        let connection = request.pointee.ipcFd
        // Only frees memory and, unless kept, closes: libfcgi has written nothing of the response.
        FCGX_Free(request, isKept ? 0 : 1)
        request.pointee.ipcFd = -1
        return isKept ? connection : nil
    }

    private func closeAsBroken() {
        _ = FastCGIRecord.invalid.withUnsafeBytes {
            send(request.pointee.ipcFd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        FCGX_Free(request, 1)
    }

    /// Reads the request body to its end; false when it is longer than the limit.
    private func discardBody() -> Bool {
        var buffer = [CChar](repeating: 0, count: 8192)
        var left = Self.discardLimit
        while left > 0 {
            let count = Int(FCGX_GetStr(&buffer, Int32(buffer.count), request.pointee.in))
            left -= count
            if count < buffer.count { return FCGX_GetError(request.pointee.in) == 0 }
        }
        return false
    }
}
