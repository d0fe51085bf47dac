using Testcontainers.RabbitMq;
using Xunit;

namespace Millrace.Tests.Support.Servers;

/// <summary>A RabbitMQ for a whole assembly: MILLRACE_TEST_RABBITMQ (an address), else Docker, else the installed package. Each test has a prefix of its own.</summary>
public sealed class RabbitFixture : IAsyncLifetime
{
    private IAsyncDisposable? _owned;

    /// <summary>As <c>amqp://guest:guest@127.0.0.1:5672</c>.</summary>
    public string Url { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("MILLRACE_TEST_RABBITMQ") is { Length: > 0 } url)
        {
            Url = url;
            return;
        }
        if (await Docker.TryAsync(new RabbitMqBuilder("rabbitmq:4").Build) is { } container)
        {
            _owned = container;
            Url = container.GetConnectionString();
            return;
        }
        var server = await LocalServer.StartRabbitAsync();
        _owned = server;
        Url = $"amqp://guest:guest@127.0.0.1:{server.Port}";
    }

    public async ValueTask DisposeAsync()
    {
        if (_owned is not null)
            await _owned.DisposeAsync();
    }
}
