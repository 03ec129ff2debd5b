import Foundation

/// A progress line on a terminal; elsewhere nothing.
final class Progress {
    private let unit: String
    private let totalBytes: Int?
    private let isShown: Bool
    private var last = ContinuousClock.now - .seconds(1)

    private static let width = 30

    /// Makes a progress line; without `totalBytes`, it only counts.
    init(unit: String, totalBytes: Int?, isShown: Bool = isatty(STDERR_FILENO) == 1) {
        self.unit = unit
        self.totalBytes = totalBytes
        self.isShown = isShown
    }

    /// Shows `count`, at most ten times a second; the bar shows `bytes`, or else `count`.
    func show(_ count: Int, bytes: Int? = nil) {
        guard isShown, ContinuousClock.now - last > .milliseconds(100) else { return }
        last = .now
        guard let totalBytes, totalBytes > 0 else { return show("\(count) \(unit)") }
        let share = min(1, Double(bytes ?? count) / Double(totalBytes))
        let filled = Int(share * Double(Self.width))
        let bar =
            String(repeating: "=", count: filled)
            + String(repeating: " ", count: Self.width - filled)
        show("[\(bar)] \(Int(share * 100)) %  \(count) \(unit)")
    }

    /// Replaces the line with a text.
    func show(_ text: String) {
        guard isShown else { return }
        FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
    }

    /// Clears the line.
    func end() { show("") }
}
