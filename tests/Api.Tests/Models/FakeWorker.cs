using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Broker;
using Millrace.Messages;
using Millrace.Storage.Announcements;
using Millrace.Storage.Models;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>A further worker, as the store and the API see it, that does what the test says and when.</summary>
internal sealed class FakeWorker(MillraceServer server, string id)
{
    private readonly IAnnouncementStore _announcements = server.Services.GetRequiredService<IAnnouncementStore>();
    private readonly IModelStore _models = server.Services.GetRequiredService<IModelStore>();

    public static AnnouncedModel Version(string model, ModelState state, long wish, string reason = "", string version = "1") => new()
    {
        Name = model,
        Version = version,
        State = state,
        Reason = reason,
        Wish = wish,
        Hash = "ab",
        Inputs = [new AnnouncedTensor("IN", "FP32", [-1])],
        Outputs = [new AnnouncedTensor("OUT", "FP32", [-1])],
        Instances = 1,
    };

    public async Task AnnounceAsync(params AnnouncedModel[] models)
    {
        await _announcements.AnnounceAsync(id, models, TestContext.Current.CancellationToken);
        await server.Services.GetRequiredService<IEventBus>().PublishAsync(new ModelsChanged { Worker = id }, TestContext.Current.CancellationToken);
    }

    public Task LeaveAsync() => _announcements.LeaveAsync(id, TestContext.Current.CancellationToken);

    /// <summary>The wish for a model, when there is one that is wanted so.</summary>
    public async Task<long> WishAsync(string model, bool loaded, long after = 0)
    {
        ModelWish? wish = null;
        await Waiting.UntilAsync(async () =>
            (wish = (await _models.ReadWishesAsync(TestContext.Current.CancellationToken)).FirstOrDefault(w => w.Model == model && w.Loaded == loaded && w.Revision > after)) is not null, "a wish is written");
        return wish!.Revision;
    }

    /// <summary>Returns when the API shows the version in that state.</summary>
    public Task SeenAsync(string model, string state) => Waiting.UntilAsync(async () =>
        (await server.Client.AskAsync(HttpMethod.Post, "/v2/repository/index")).Json.AsArray().Any(e => (string?)e!["name"] == model && (string?)e["state"] == state), $"{model} is {state}");
}
