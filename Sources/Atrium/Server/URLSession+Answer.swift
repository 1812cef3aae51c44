import Foundation
import FoundationNetworking

extension URLSession {
    /// What `data(for:)` does, but for how it is cancelled: that one cancels while it holds a lock of the Swift task's, for
    /// which a completion at the same moment waits, and both stand still for good.
    func answer(to request: URLRequest) async throws -> (Data, URLResponse) {
        let (outcomes, outcome) = AsyncThrowingStream<(Data, URLResponse), any Error>.makeStream()
        let task = dataTask(with: request) { data, response, error in
            if let data, let response {
                outcome.yield((data, response))
                outcome.finish()
            } else {
                outcome.finish(throwing: error ?? URLError(.unknown))
            }
        }
        outcome.onTermination = { reason in
            // On a thread of its own: this one may hold the task's lock.
            if case .cancelled = reason { DispatchQueue.global().async { task.cancel() } }
        }
        task.resume()
        for try await answer in outcomes { return answer }
        throw CancellationError()
    }
}
