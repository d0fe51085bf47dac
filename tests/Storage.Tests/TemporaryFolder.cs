namespace Millrace.Storage.Tests;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("millrace-store-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
