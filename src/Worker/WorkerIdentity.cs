using System.Security.Cryptography;

namespace Millrace.Worker;

/// <summary>This process as jobs name it: new with each start, and telling nothing of the machine.</summary>
internal sealed record WorkerIdentity
{
    public string Id { get; } = $"worker-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
}
