using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Millrace.Api.Errors;
using Millrace.Api.Limits;

namespace Millrace.Api.Grpc;

/// <summary>The body of a call, whose largest message counts among the bodies in memory from when it comes until the call ends.</summary>
/// <param name="refuse">What to throw into the framework, which lets nothing else through.</param>
internal sealed class CountedBody(PipeReader body, InFlight inFlight, Func<RefusedException, Exception> refuse) : PipeReader, IRequestBodyPipeFeature, IDisposable
{
    private long _reserved;

    public PipeReader Reader => this;

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var result = await body.ReadAsync(cancellationToken);
        Reserve(result.Buffer.Length);
        return result;
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!body.TryRead(out result))
            return false;
        Reserve(result.Buffer.Length);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => body.AdvanceTo(consumed);
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => body.AdvanceTo(consumed, examined);
    public override void CancelPendingRead() => body.CancelPendingRead();
    public override void Complete(Exception? exception = null) => body.Complete(exception);

    public void Dispose() => inFlight.Release(_reserved);

    /// <summary>What has come of a message lies here whole until it is complete.</summary>
    private void Reserve(long bytes)
    {
        if (bytes <= _reserved)
            return;
        try { inFlight.Reserve(bytes - _reserved); }
        catch (RefusedException refused) { throw refuse(refused); }
        _reserved = bytes;
    }
}
