using Millrace.Conformance.Tests.Cases;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Transports;

/// <summary>A way to ask the server.</summary>
internal interface ITransport
{
    Task<Reply> AskAsync(string model, Case asked);
}

/// <summary>What came back, whichever way.</summary>
internal abstract record Reply
{
    private Reply() { } // closed: every reply stands below

    internal sealed record Answered(string Model, string Version, IReadOnlyList<Tensor> Outputs) : Reply;

    /// <param name="Status">Of HTTP, or what stands for it elsewhere.</param>
    internal sealed record Refused(int Status, string Text) : Reply;
}
