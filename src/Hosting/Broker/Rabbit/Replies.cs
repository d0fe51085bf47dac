using Millrace.Messages;

namespace Millrace.Hosting.Broker.Rabbit;

internal static class Replies
{
    /// <summary>The same outcome for every request of a pack.</summary>
    public static InferReply ToAll(InferPack pack, InferFailure failure, string detail) =>
        new() { Outcomes = pack.Items.Select(i => new InferOutcome { Id = i.Id, Failure = failure, Detail = detail }).ToArray() };
}
