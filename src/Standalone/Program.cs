using Millrace.Standalone;

return await StandaloneApp.RunAsync(args);
