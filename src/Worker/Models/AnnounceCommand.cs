using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Storage.Announcements;
using Millrace.Storage.Models;

namespace Millrace.Worker.Models;

/// <summary><c>announce</c>: loads each model, announces it, declares its queues, and ends. So jobs and requests are accepted, and workers scaled by queues, before any worker was ever there.</summary>
internal static class AnnounceCommand
{
    public static bool Match(string[] args) => args is ["announce", ..];

    public static Task<int> RunAsync(string[] args) => MillraceHost.RunCommandAsync(async () =>
    {
        var builder = MillraceHost.CreateBuilder(args[1..], "announce");
        ServerAddresses.MustBeSet(builder.Configuration);
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceWorker();
        await using var app = builder.Build();
        var services = app.Services;
        var (loaded, broken) = await services.GetRequiredService<ModelRepository>().LoadAllAsync();
        try
        {
            await Servers.WaitAsync(() => AnnounceAsync(services, loaded, broken), services.GetRequiredService<TimeProvider>());
            foreach (var model in loaded)
                Console.WriteLine($"announced {model.Name} version {model.Version}");
            foreach (var model in broken)
                Console.WriteLine($"announced {model.Name} version {model.Version} as unavailable: {model.Reason}");
        }
        finally
        {
            foreach (var model in loaded)
                model.Dispose();
        }
    });

    private static async Task AnnounceAsync(IServiceProvider services, IReadOnlyList<LoadedModel> loaded, IReadOnlyList<AnnouncedModel> broken)
    {
        await services.PrepareStoreAsync(CancellationToken.None);
        var queue = services.GetRequiredService<IWorkQueue>();
        foreach (var model in loaded.Select(m => m.Name).Concat(broken.Select(b => b.Name)).Distinct())
            await queue.DeclareAsync(model, CancellationToken.None);
        var announcements = services.GetRequiredService<IAnnouncementStore>();
        var worker = services.GetRequiredService<WorkerIdentity>().Id;
        var wishes = (await services.GetRequiredService<IModelStore>().ReadWishesAsync(CancellationToken.None)).ToDictionary(w => w.Model);
        await announcements.AnnounceAsync(worker, [.. loaded.Select(m => m.Announce()).Concat(broken).Select(m => AsWished(m, wishes.GetValueOrDefault(m.Name)))], CancellationToken.None);
        await announcements.LeaveAsync(worker, CancellationToken.None); // it serves nothing
        services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(AnnounceCommand)).Announced(loaded.Count, broken.Count);
    }

    private static AnnouncedModel AsWished(AnnouncedModel model, ModelWish? wish) => wish switch
    {
        null => model,
        { Loaded: true } => model with { Wish = wish.Revision },
        _ => model with { State = ModelState.Unavailable, Reason = ModelWish.UnloadedReason, Wish = wish.Revision },
    };
}
