using System.Runtime.InteropServices;

namespace Millrace.Rollback.Drill;

/// <summary><c>drill</c>: makes an installation fail in bounded ways, and sees whether circuit, alerts and rollback do what they should.</summary>
public static class DrillCommand
{
    public static bool Match(string[] args) => args is ["drill", ..];

    /// <summary>0 when everything happened, or the day is too late; else 1.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var options = DrillOptions.Read(RollbackApp.CreateBuilder(args[1..]).Configuration);
            using var stopping = new CancellationTokenSource();
            void Stop(PosixSignalContext signal)
            {
                signal.Cancel = true; // the faults have to be ended first
                stopping.Cancel();
            }
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            return await RunAsync(options, TimeProvider.System, Console.Out, stopping.Token);
        }
        catch (SettingsException error)
        {
            await Console.Error.WriteLineAsync($"millrace: {error.Message}");
            return 1;
        }
    }

    public static async Task<int> RunAsync(DrillOptions options, TimeProvider time, TextWriter output, CancellationToken stopping)
    {
        if (time.GetLocalNow().Day is var day && day > options.LastDay)
        {
            await output.WriteLineAsync($"Nothing to do: it is day {day} of the month, and Millrace:Drill:LastDay is {options.LastDay}.");
            return 0;
        }
        using var api = new ApiClient(options);
        using var figures = new Figures(options);
        await using var load = new Load(api, options, time);
        return await new Exercise(options, api, figures, load, time, output).RunAsync(stopping);
    }
}
