using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace Millrace.Api.Http;

/// <summary>Memory that connections are read into and written from, in larger pieces than the server's own of 4 KiB: a body of 1 MiB would come by 256 calls of the system. A connection that waits holds none.</summary>
internal sealed class ConnectionBlocks : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int Size = 32 << 10;

    public override int MaxBufferSize => Shared.MaxBufferSize;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, Size));

    protected override void Dispose(bool disposing) { }
}
